-- The audit log: who did what, when, from where. Rows are appended, and go by age.
CREATE TABLE audit (
	id TEXT NOT NULL PRIMARY KEY,  -- UUIDv7: its time is when it was done
	account TEXT NOT NULL,         -- '': of the whole process
	gateway TEXT NOT NULL,         -- '': of no single gateway
	actor_type TEXT NOT NULL,
	actor_id TEXT NOT NULL,
	actor_name TEXT NOT NULL,
	address TEXT NOT NULL,
	interface TEXT NOT NULL,
	action TEXT NOT NULL,
	kind TEXT NOT NULL,            -- of the object
	object_id TEXT NOT NULL,
	object_name TEXT NOT NULL,
	failed BIGINT NOT NULL,        -- 1: it was refused
	before_json TEXT,              -- without secrets; NULL: there was none
	after_json TEXT                -- likewise; NULL: there is none now
);
CREATE INDEX audit_account ON audit (account, id);
