-- People who use the management API by name. Of a password its argon2id hash is kept.
CREATE TABLE people (
	id TEXT NOT NULL PRIMARY KEY,
	email TEXT NOT NULL UNIQUE,      -- in lower case
	name TEXT NOT NULL,
	instance BIGINT NOT NULL,        -- 1: admin of every account, and of the process
	granted BIGINT NOT NULL,         -- 1: instance is what the identity provider says
	members TEXT NOT NULL,           -- JSON array: account, role, bodies, granted
	password TEXT NOT NULL,          -- PHC string; '': none
	issuer TEXT NOT NULL,            -- of the identity; '': none
	subject TEXT NOT NULL,
	epoch BIGINT NOT NULL,           -- sessions of another one have ended
	version BIGINT NOT NULL,         -- from 1
	created_at BIGINT NOT NULL,      -- microseconds since 1970, UTC
	last_sign_in_at BIGINT NOT NULL  -- likewise; 0: never
);
CREATE UNIQUE INDEX people_identity ON people (issuer, subject) WHERE issuer <> '';
-- One-time links, one for each person. Of the link only its SHA-256 is kept.
CREATE TABLE people_links (
	person TEXT NOT NULL PRIMARY KEY, -- id; '': who has it becomes an admin of the process
	hash TEXT NOT NULL UNIQUE,        -- SHA-256, hexadecimal
	expires_at BIGINT NOT NULL        -- microseconds since 1970, UTC
);
-- Sessions. Of a token only its SHA-256 is kept.
CREATE TABLE sessions (
	hash TEXT NOT NULL PRIMARY KEY,   -- SHA-256, hexadecimal
	person TEXT NOT NULL,             -- id
	epoch BIGINT NOT NULL,            -- of the person, when it began
	data TEXT NOT NULL,               -- base64
	expires_at BIGINT NOT NULL        -- microseconds since 1970, UTC
);
