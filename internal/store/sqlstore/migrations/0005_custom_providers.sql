-- Providers that accounts have made: an address that calls to custom-{slug} go to.
CREATE TABLE custom_providers (
	id TEXT NOT NULL PRIMARY KEY,
	account TEXT NOT NULL,
	slug TEXT NOT NULL,          -- without custom-
	slug_key TEXT NOT NULL,      -- the same in lower case
	name TEXT NOT NULL,
	base_url TEXT NOT NULL,
	description TEXT NOT NULL,
	link TEXT NOT NULL,
	curl_example TEXT NOT NULL,
	js_example TEXT NOT NULL,
	enabled BIGINT NOT NULL,     -- 1: calls may go there
	beta BIGINT NOT NULL,
	position BIGINT NOT NULL,    -- in lists
	auth_header TEXT NOT NULL,   -- where a stored key goes; empty: Authorization
	auth_scheme TEXT NOT NULL,
	headers TEXT NOT NULL,       -- fields that are added to each call: base64, sealed by the data key; empty: none
	version BIGINT NOT NULL,     -- from 1
	created_at BIGINT NOT NULL,  -- microseconds since 1970, UTC
	modified_at BIGINT NOT NULL, -- likewise
	UNIQUE (account, slug_key)
);
