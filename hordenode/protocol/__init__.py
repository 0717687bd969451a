"""The wire: request and answer types of the AI Horde v2 API, and its errors. Field facts: contract api.json."""
