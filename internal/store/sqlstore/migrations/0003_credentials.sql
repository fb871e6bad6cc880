-- Provider keys, sealed by a data key, which is sealed by a master key that is not in the database.
CREATE TABLE credentials (
	id TEXT NOT NULL PRIMARY KEY,
	account TEXT NOT NULL,
	gateway TEXT NOT NULL,
	provider TEXT NOT NULL,            -- slug
	alias TEXT NOT NULL,
	is_default BIGINT NOT NULL,        -- 1: it serves calls that name no alias, where none has the alias default
	hint TEXT NOT NULL,                -- last four characters of the secret
	weight BIGINT NOT NULL,
	hosts TEXT NOT NULL,               -- JSON array of hosts that it may be sent to besides the provider's own
	rate_limit BIGINT NOT NULL,        -- calls in rate_limit_period; 0: any number
	rate_limit_period BIGINT NOT NULL, -- seconds
	sealed TEXT NOT NULL,              -- base64; bound to id, account, gateway, provider, alias and hosts
	version BIGINT NOT NULL,           -- from 1
	created_at BIGINT NOT NULL,        -- microseconds since 1970, UTC
	modified_at BIGINT NOT NULL,       -- likewise
	last_used_at BIGINT NOT NULL       -- likewise; 0: not known to have been used
);
-- The key that seals the provider keys: one row, or none.
CREATE TABLE data_key (
	id BIGINT NOT NULL PRIMARY KEY,    -- always 1
	sealed TEXT NOT NULL               -- base64; by the master key
);
