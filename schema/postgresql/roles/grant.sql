-- Who may do what: an owner, writers and readers. Run it as the owner, which is the role that migrates:
-- `smdi grant`, or psql -f. It may be run again at any time.
--
-- smdi_writer and smdi_reader are groups that nobody logs in as; programs and people are put into them:
--     CREATE ROLE loader LOGIN PASSWORD '...' IN ROLE smdi_writer;
--     GRANT smdi_reader TO analyst;
-- They are made here where they are missing, which takes the right to make roles; where the owner has none,
-- an administrator runs once: CREATE ROLE smdi_writer NOLOGIN; CREATE ROLE smdi_reader NOLOGIN;
-- Roles are of the whole cluster: a member can read, or write, in each database in which this was run.
DO $$
DECLARE
    place text := quote_ident(current_schema());
    base text := quote_ident(current_database());
    owner text;
BEGIN
    -- What somebody else grants would be left out with a warning.
    IF NOT EXISTS (
        SELECT FROM pg_class AS c
        WHERE c.oid = to_regclass('schema_migrations') AND pg_has_role(c.relowner, 'USAGE')
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: only the role that migrates may grant';
    END IF;
    IF
        (to_regrole('smdi_writer') IS NULL OR to_regrole('smdi_reader') IS NULL)
        AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
    THEN
        RAISE insufficient_privilege USING MESSAGE =
            'permission denied to make roles: an administrator runs once what is missing of '
            '"CREATE ROLE smdi_writer NOLOGIN; CREATE ROLE smdi_reader NOLOGIN;", then grant again';
    END IF;
    IF to_regrole('smdi_writer') IS NULL THEN
        CREATE ROLE smdi_writer NOLOGIN;
    END IF;
    IF to_regrole('smdi_reader') IS NULL THEN
        CREATE ROLE smdi_reader NOLOGIN;
    END IF;
    -- Nobody else makes tables here (before PostgreSQL 15 everybody might), or writes to those there are.
    EXECUTE 'REVOKE CREATE ON SCHEMA ' || place || ' FROM PUBLIC, smdi_writer, smdi_reader';
    EXECUTE 'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA ' || place
        || ' FROM PUBLIC, smdi_reader';
    EXECUTE 'GRANT USAGE ON SCHEMA ' || place || ' TO smdi_writer, smdi_reader';
    EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA ' || place || ' TO smdi_writer, smdi_reader';
    EXECUTE 'GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ' || place || ' TO smdi_writer';
    EXECUTE 'GRANT USAGE ON ALL SEQUENCES IN SCHEMA ' || place || ' TO smdi_writer';
    -- What was migrated is the owner's to say.
    REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM smdi_writer;
    -- The same for tables that the owner makes later, whoever runs this for it.
    SELECT quote_ident(pg_get_userbyid(c.relowner)) INTO owner
    FROM pg_class AS c WHERE c.oid = to_regclass('schema_migrations');
    EXECUTE 'ALTER DEFAULT PRIVILEGES FOR ROLE ' || owner || ' IN SCHEMA ' || place
        || ' GRANT SELECT ON TABLES TO smdi_writer, smdi_reader';
    EXECUTE 'ALTER DEFAULT PRIVILEGES FOR ROLE ' || owner || ' IN SCHEMA ' || place
        || ' GRANT INSERT, UPDATE, DELETE ON TABLES TO smdi_writer';
    EXECUTE 'ALTER DEFAULT PRIVILEGES FOR ROLE ' || owner || ' IN SCHEMA ' || place
        || ' GRANT USAGE ON SEQUENCES TO smdi_writer';
    -- A load sets its rows aside in a temporary table.
    BEGIN
        EXECUTE 'GRANT CONNECT, TEMPORARY ON DATABASE ' || base || ' TO smdi_writer';
        EXECUTE 'GRANT CONNECT ON DATABASE ' || base || ' TO smdi_reader';
    EXCEPTION WHEN insufficient_privilege THEN
        NULL; -- The database is another role's; unless that took them away, everybody has both.
    END;
END
$$;
