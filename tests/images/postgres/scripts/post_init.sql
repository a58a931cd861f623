-- Roles and extensions of a new database; run again after every promotion, so it adds only what is missing.

SELECT format('CREATE ROLE %I %s', name, options)
FROM (VALUES ('admin', 'CREATEDB'), ('cron_admin', ''), ('robot_zmon', ''), (:'human', '')) AS wanted (name, options)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

SELECT 'GRANT cron_admin TO admin' WHERE NOT pg_has_role('admin', 'cron_admin', 'MEMBER')
\gexec

SELECT 'CREATE EXTENSION pg_stat_statements SCHEMA public'
WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')
\gexec
