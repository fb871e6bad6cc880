-- Gateways that the management API or a first call made. A row without settings is of one that was
-- deleted: its version goes on where the place is filled again, and one that exists by itself stays away.
CREATE TABLE gateways (
	account TEXT NOT NULL,
	id TEXT NOT NULL,
	version BIGINT NOT NULL,
	settings TEXT,               -- JSON, in the reference's names and units; NULL: deleted
	created_at BIGINT NOT NULL,  -- microseconds since 1970, UTC
	modified_at BIGINT NOT NULL, -- likewise
	PRIMARY KEY (account, id)
);
