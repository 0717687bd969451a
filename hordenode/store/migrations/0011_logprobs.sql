-- How likely the tokens of a text were, as JSON, where its request asked.

ALTER TABLE jobs ADD COLUMN logprobs TEXT;
