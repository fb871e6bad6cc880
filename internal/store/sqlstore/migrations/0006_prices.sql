-- Prices that accounts have set for themselves. They go before every list.
CREATE TABLE prices (
	account TEXT NOT NULL,
	provider TEXT NOT NULL,      -- slug
	model TEXT NOT NULL,         -- a name, or a pattern
	as_model TEXT NOT NULL,      -- provider/model whose prices hold; empty: usd says
	times TEXT NOT NULL,         -- multiplies the prices; empty: as they are
	usd TEXT NOT NULL,           -- JSON object: decimal text by class
	modified_at BIGINT NOT NULL, -- microseconds since 1970, UTC
	PRIMARY KEY (account, provider, model)
);
