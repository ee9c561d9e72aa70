-- compatible: 1
--
-- An attempt changes twice within a moment, before its call leaves and after its end:
-- both find room on its page.
ALTER TABLE attempts SET (fillfactor = 50);

-- What a lost node had in hand is looked for in the whole table, which holds only what
-- is in hand and what waits, and that is rare: an index would cost every start. (Last,
-- because who only reads waits for this lock, too.)
DROP INDEX jobs_node;
