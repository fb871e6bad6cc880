-- The cells of hours, and their sums over the whole day, once more: all that one question and scope have of a day in
-- one row, because to step from row to row costs more than to read what they hold. The cells stay in rollups, too.

CREATE TABLE packs (
	id INTEGER PRIMARY KEY,
	question INTEGER NOT NULL,
	scope INTEGER NOT NULL,
	day INTEGER NOT NULL,
	whole BLOB NOT NULL, -- sums of the whole day
	hours BLOB NOT NULL,
	UNIQUE (question, scope, day)
);

ALTER TABLE days ADD COLUMN packed INTEGER NOT NULL DEFAULT 0; -- packs has the day, as far as it is sealed

-- Days that have a file are sealed, and packed, again.
UPDATE days SET sealed = 0 WHERE gone = 0;
