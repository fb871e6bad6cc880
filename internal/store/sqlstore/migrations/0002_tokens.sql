-- Gateway tokens. Of a value only its SHA-256 is kept; that of a revoked one stays, so that it is known.
CREATE TABLE tokens (
	id TEXT NOT NULL PRIMARY KEY,
	account TEXT NOT NULL,
	name TEXT NOT NULL,
	gateways TEXT,                -- JSON array of ids; NULL: all of the account
	permissions BIGINT NOT NULL,  -- bits: 1 run, 2 read, 4 edit
	hint TEXT NOT NULL,           -- last four characters of the value
	hash TEXT NOT NULL UNIQUE,    -- SHA-256 of the value, hexadecimal
	imported BIGINT NOT NULL,     -- 1: a value of the operator's choice
	created_at BIGINT NOT NULL,   -- microseconds since 1970, UTC
	expires_at BIGINT NOT NULL,   -- likewise; 0: never
	revoked_at BIGINT NOT NULL,   -- likewise; 0: it was not
	last_used_at BIGINT NOT NULL  -- likewise; 0: not known to have been used
);
CREATE UNIQUE INDEX tokens_name ON tokens (account, name) WHERE revoked_at = 0;
