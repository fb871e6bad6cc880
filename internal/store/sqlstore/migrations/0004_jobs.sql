-- Long work: exports, deletions, backups. A row goes a while after its job has ended.
CREATE TABLE jobs (
	id TEXT NOT NULL PRIMARY KEY, -- sorts by when the job was made
	account TEXT NOT NULL,        -- '': of the whole process
	gateway TEXT NOT NULL,        -- '': of no single one
	kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	state TEXT NOT NULL,
	input TEXT NOT NULL,          -- JSON
	done BIGINT NOT NULL,
	total BIGINT NOT NULL,        -- -1: not known
	message TEXT NOT NULL,
	result TEXT,                  -- JSON; NULL: nothing
	file TEXT,                    -- JSON: name, type, bytes, hash, expiry of what can be downloaded; NULL: nothing
	error TEXT NOT NULL,
	checkpoint TEXT,              -- JSON of the kind's own; NULL: none
	created_at BIGINT NOT NULL,   -- microseconds since 1970, UTC
	started_at BIGINT NOT NULL,   -- likewise; 0: it has not
	ended_at BIGINT NOT NULL      -- likewise
);
CREATE INDEX jobs_account ON jobs (account, id);
CREATE INDEX jobs_unended ON jobs (id) WHERE ended_at = 0;
