-- Small things that operators make beside gateways: datasets, evaluations, views, custom domains, routes with
-- their versions and deployments.
CREATE TABLE objects (
	kind TEXT NOT NULL,
	id TEXT NOT NULL,            -- of a custom domain: its host name
	account TEXT NOT NULL,
	gateway TEXT NOT NULL,       -- '': it belongs to the account
	parent TEXT NOT NULL,        -- id of the object that it goes with; '': none
	name TEXT NOT NULL,
	unique_name TEXT NOT NULL,   -- '': its name need not be the only one
	version BIGINT NOT NULL,     -- from 1
	data TEXT NOT NULL,          -- JSON, in a form of its kind
	created_at BIGINT NOT NULL,  -- microseconds since 1970, UTC
	modified_at BIGINT NOT NULL, -- likewise
	PRIMARY KEY (kind, id)
);
CREATE INDEX objects_place ON objects (account, gateway, kind, parent, created_at, id);
CREATE UNIQUE INDEX objects_unique ON objects (account, gateway, kind, unique_name) WHERE unique_name <> '';
