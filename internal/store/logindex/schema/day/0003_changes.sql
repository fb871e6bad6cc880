-- What people say of exchanges, kept beside their rows: it holds for later versions of a row, too.
CREATE TABLE patches (
	id INTEGER PRIMARY KEY,
	changes INTEGER NOT NULL, -- which fields of the entry
	entry BLOB NOT NULL
);

-- Rows that were deleted. Later versions of them are left out, and the segments are asked for what is left.
CREATE TABLE erased (id INTEGER PRIMARY KEY);

-- dirty: something is left of deleted rows in this file, beside their rows.
ALTER TABLE state ADD COLUMN dirty INTEGER NOT NULL DEFAULT 0;

-- The row whose entry a base is. Of older bases it is not known.
ALTER TABLE bases ADD COLUMN origin INTEGER;
