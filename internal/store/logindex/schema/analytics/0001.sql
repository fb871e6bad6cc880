-- Copies of the roll-ups of sealed days, so that long ranges are read from one file; and the whole
-- truth of days whose file retention has removed.

CREATE TABLE days (
	day INTEGER PRIMARY KEY, -- days since 1970-01-01
	sealed INTEGER NOT NULL, -- the copy is what the day's file holds
	gone INTEGER NOT NULL,   -- the day's file was removed
	minutes_gone INTEGER NOT NULL, -- minutes of all questions but the total were dropped from the file
	applied_segment INTEGER NOT NULL,
	applied_block INTEGER NOT NULL,
	applied_record INTEGER NOT NULL,
	safe_segment INTEGER NOT NULL,
	safe_block INTEGER NOT NULL,
	safe_record INTEGER NOT NULL,
	row_count INTEGER NOT NULL,
	trimmed INTEGER NOT NULL
);

CREATE TABLE texts (
	id INTEGER PRIMARY KEY,
	kind INTEGER NOT NULL,
	text TEXT NOT NULL,
	UNIQUE (kind, text)
);

CREATE TABLE rollups (
	question INTEGER NOT NULL,
	scope INTEGER NOT NULL,
	grain INTEGER NOT NULL,
	at INTEGER NOT NULL,
	value INTEGER NOT NULL,
	cell BLOB NOT NULL,
	PRIMARY KEY (question, scope, grain, at, value)
) WITHOUT ROWID;
