-- What a PUT of bench/load.lua reads and writes, in one transaction: a marker, a user, and three audit rows.
\set id random(200000001, 200000000 + :users)
\set now random(1000000000000, 1900000000000)
BEGIN;
INSERT INTO bench.commits (id, at_ms, is_stone) VALUES (uuid_send(gen_random_uuid()), :now, 0);
SELECT * FROM bench.users WHERE Id = :id FOR NO KEY UPDATE;
UPDATE bench.users SET Version = Version + 1, LastTotpStep = :now, Members = overlay(Members PLACING int8send(:now) FROM 1) WHERE Id = :id;
INSERT INTO bench.audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type, business_id) VALUES ('User', :id, 'LastAccess', '2026-01-12T10:11:12Z', '2026-01-13T10:11:12Z', 'admin@example.com', :now, 2, 301);
INSERT INTO bench.audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type, business_id) VALUES ('User', :id, 'LastHelpVisited', '123456789', '987654321', 'admin@example.com', :now, 2, 301);
INSERT INTO bench.audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type, business_id) VALUES ('User', :id, 'OnNewEmail', 'True', 'False', 'admin@example.com', :now, 2, 301);
COMMIT;
