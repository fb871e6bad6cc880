-- Most columns of a row are the same in all rows of like calls. Those stand in a shape, once, or a few times:
-- nothing asks that there be only one. A row that is written is half as wide, and costs half as much.

CREATE TABLE shapes (
	id INTEGER PRIMARY KEY,
	provider INTEGER NOT NULL, -- ids of texts, up to response_type
	model INTEGER NOT NULL,
	served INTEGER NOT NULL,
	endpoint INTEGER NOT NULL,
	type INTEGER NOT NULL,
	caller INTEGER NOT NULL,
	agent INTEGER NOT NULL,
	error INTEGER NOT NULL,
	request_type INTEGER NOT NULL,
	response_type INTEGER NOT NULL,
	flags INTEGER NOT NULL,
	status INTEGER,
	attempts INTEGER NOT NULL
);

CREATE TABLE narrow (
	id INTEGER PRIMARY KEY,
	scope INTEGER NOT NULL,
	shape INTEGER NOT NULL,
	meta INTEGER NOT NULL,
	duration INTEGER,    -- microseconds
	first_token INTEGER, -- microseconds
	tokens_in INTEGER,
	tokens_out INTEGER,
	cost INTEGER, -- nano-USD
	event INTEGER, -- hash of the event id, of the trace id
	trace INTEGER,
	more INTEGER NOT NULL -- where its data lies: an id of more times 256, and the place in it
);

INSERT INTO shapes
	SELECT NULL, provider, model, served, endpoint, type, caller, agent, error, request_type, response_type, flags, status, attempts
	FROM rows GROUP BY provider, model, served, endpoint, type, caller, agent, error, request_type, response_type, flags, status, attempts;
CREATE INDEX shapes_by_all ON shapes (provider, model, served, endpoint, type, caller, agent, error, request_type, response_type, flags, status, attempts);
INSERT INTO narrow
	SELECT r.id, r.scope, s.id, r.meta, r.duration, r.first_token, r.tokens_in, r.tokens_out, r.cost, r.event, r.trace, r.more
	FROM rows r CROSS JOIN shapes s ON s.provider = r.provider AND s.model = r.model AND s.served = r.served AND s.endpoint = r.endpoint
		AND s.type = r.type AND s.caller = r.caller AND s.agent = r.agent AND s.error = r.error AND s.request_type = r.request_type
		AND s.response_type = r.response_type AND s.flags = r.flags AND s.status IS r.status AND s.attempts = r.attempts
	ORDER BY r.id;
DROP INDEX shapes_by_all;
DROP TABLE rows;
ALTER TABLE narrow RENAME TO rows;
