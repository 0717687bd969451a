-- How long a worker has been there since it was last rewarded for that.

ALTER TABLE workers ADD COLUMN unpaid_s INTEGER NOT NULL DEFAULT 0;
