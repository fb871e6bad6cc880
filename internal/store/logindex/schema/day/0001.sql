-- One file holds the exchanges that started on one UTC day. A row's id is the millisecond of the day
-- and the counter of the exchange's id: place and order in one.
--
-- rows is narrow, because scans read it whole; more is what only a shown row needs.

CREATE TABLE state (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	applied_segment INTEGER NOT NULL, -- records before this position are in this file
	applied_block INTEGER NOT NULL,
	applied_record INTEGER NOT NULL,
	safe_segment INTEGER NOT NULL, -- records before this position are in whatever file they belong to
	safe_block INTEGER NOT NULL,
	safe_record INTEGER NOT NULL,
	row_count INTEGER NOT NULL,
	trimmed INTEGER NOT NULL -- rows with smaller ids were removed
);

CREATE TABLE texts (
	id INTEGER PRIMARY KEY,
	kind INTEGER NOT NULL,
	text TEXT NOT NULL
);

-- Metadata objects, kind 10, may be there more than once: there are so many that an index of them
-- would cost more than all else.
CREATE UNIQUE INDEX texts_by_text ON texts (kind, text) WHERE kind <> 10;

CREATE TABLE rows (
	id INTEGER PRIMARY KEY,
	scope INTEGER NOT NULL,
	provider INTEGER NOT NULL,
	model INTEGER NOT NULL,
	served INTEGER NOT NULL,
	endpoint INTEGER NOT NULL,
	type INTEGER NOT NULL,
	caller INTEGER NOT NULL,
	agent INTEGER NOT NULL,
	error INTEGER NOT NULL,
	request_type INTEGER NOT NULL,
	response_type INTEGER NOT NULL,
	meta INTEGER NOT NULL,
	flags INTEGER NOT NULL,
	status INTEGER,
	duration INTEGER,    -- microseconds
	first_token INTEGER, -- microseconds
	tokens_in INTEGER,
	tokens_out INTEGER,
	cost INTEGER, -- nano-USD
	attempts INTEGER NOT NULL,
	event INTEGER, -- hash of the event id, of the trace id
	trace INTEGER,
	more INTEGER NOT NULL -- where its data lies: an id of more times 256, and the place in it
);

-- One row holds the data of those that were inserted together. What belongs to a row that was replaced
-- stays until the others go, too.
CREATE TABLE more (
	id INTEGER PRIMARY KEY,
	last INTEGER NOT NULL, -- the largest id of those rows
	data BLOB NOT NULL
);
CREATE INDEX more_by_last ON more (last);

-- Entries that the rows of calls like them are told by, less their metadata.
CREATE TABLE bases (
	id INTEGER PRIMARY KEY,
	likeness INTEGER NOT NULL, -- what such calls have in common, as a hash
	entry BLOB NOT NULL
);

CREATE TABLE open (
	id INTEGER PRIMARY KEY,
	data BLOB NOT NULL
);

CREATE TABLE rollups (
	question INTEGER NOT NULL,
	scope INTEGER NOT NULL,
	grain INTEGER NOT NULL, -- minutes
	at INTEGER NOT NULL,    -- unix minute
	value INTEGER NOT NULL,
	cell BLOB NOT NULL,
	PRIMARY KEY (question, scope, grain, at, value)
) WITHOUT ROWID;

-- What was counted and does not stand in rollups yet, one blob per transaction.
CREATE TABLE pending (
	id INTEGER PRIMARY KEY,
	delta BLOB NOT NULL
);
