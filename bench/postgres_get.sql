-- As pgbench -S, for the columns that GET by id reads.
\set id random(200000001, 200000000 + :users)
SELECT Version, Members FROM bench.users WHERE Id = :id;
