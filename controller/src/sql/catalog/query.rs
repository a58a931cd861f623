//! The two questions, as text. Every name is the system's own by the session's pinned `search_path`; it is written out all the same, so that
//! no question hangs on one setting.  // table
//!
//! No function in them looks at letters: names and settings may be bytes that are no text in the session's encoding.
//!
//! What anybody who logs in may store of himself, his settings and his verifier, may be a gigabyte: of that only so much is read.

/// Bytes that are read of the settings of one role, the shortest first. Ours are a few hundred.
const SETTINGS: &str = "65536";
/// The longest verifier that is read, in bytes; newer servers store none of more than 512. One that is left out is the password of nobody.
const VERIFIER: &str = "1024";

/// Which membership columns there are depends on the version.
pub(super) fn shared(version: u32) -> String {
    let (inherit, set) = match version {
        ..160_000 => ("joined.rolinherit", "true"),
        160_000.. => ("item.inherit_option", "item.set_option"),
    };
    let provider = match version {
        ..150_000 => "''",
        150_000.. => {
            "CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE '' END"
        }
    };
    let document = SHARED
        .replace("{inherit}", inherit)
        .replace("{set}", set)
        .replace("{provider}", provider)
        .replace("{settings}", SETTINGS)
        .replace("{verifier}", VERIFIER);
    raw(&document)
}

/// What is in one database, with its tables and sequences or without.
pub(super) fn content(objects: bool) -> String {
    let objects = if objects { OBJECTS } else { "'[]'::pg_catalog.json" };
    raw(&CONTENT.replace("{objects}", objects))
}

/// The document as bytes, which the client makes letters of: a server that has to check them would refuse all for the sake of one name. To a
/// client of its own encoding it says them as they are, others it translates for; one without an encoding would check, if it were asked to.
/// `OFFSET 0` has it made once.
fn raw(document: &str) -> String {
    let bytes = "CASE pg_catalog.getdatabaseencoding()
        WHEN 'SQL_ASCII' THEN pg_catalog.decode(pg_catalog.replace(it.document, '\\', '\\\\'), 'escape')
        ELSE pg_catalog.textsend(it.document) END";
    format!(
        "SELECT CASE WHEN pg_catalog.octet_length(it.document) <= {LIMIT} THEN pg_catalog.encode({bytes}, 'base64') END,
        pg_catalog.octet_length(it.document) FROM ({document} OFFSET 0) it(document)"
    )
}

/// Stands for the bytes of a document that are asked for at most.
const LIMIT: &str = "{limit}";

/// The question for a document of so many bytes at most. The second column says how many it has.
pub(super) fn within(question: &str, limit: usize) -> String {
    question.replacen(LIMIT, &limit.to_string(), 1)
}

/// `settings` are [`pgherd_model::postgres_parameters::HOT_STANDBY`], which a test compares.
const SHARED: &str = "
WITH memberships AS (
    SELECT of.member, pg_catalog.json_object_agg(of.name, pg_catalog.json_build_object(
            'admin', of.admin, 'inherit', of.inherits, 'set', of.sets, 'grantors', of.grantors)) AS list
    FROM (SELECT item.member, pg_catalog.pg_get_userbyid(item.roleid)::pg_catalog.text AS name,
                pg_catalog.bool_or(item.admin_option) AS admin, pg_catalog.bool_or({inherit}) AS inherits,
                pg_catalog.bool_or({set}) AS sets,
                pg_catalog.json_agg(DISTINCT pg_catalog.pg_get_userbyid(item.grantor)::pg_catalog.text) AS grantors
            FROM pg_catalog.pg_auth_members item JOIN pg_catalog.pg_authid joined ON joined.oid = item.member
            GROUP BY item.member, item.roleid) of
    GROUP BY of.member),
traces AS (
    SELECT trace.refobjid,
        pg_catalog.json_agg(DISTINCT coalesce(place.datname::pg_catalog.text, '')) FILTER (WHERE trace.deptype = 'o') AS owns,
        pg_catalog.json_agg(DISTINCT coalesce(place.datname::pg_catalog.text, '')) FILTER (WHERE trace.deptype <> 'o') AS granted
    FROM pg_catalog.pg_shdepend trace LEFT JOIN pg_catalog.pg_database place ON place.oid = trace.dbid
    WHERE trace.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    GROUP BY trace.refobjid)
SELECT pg_catalog.json_build_object(
'roles', (SELECT coalesce(pg_catalog.json_object_agg(role.rolname, pg_catalog.json_build_object(
        'superuser', role.rolsuper, 'inherit', role.rolinherit, 'createrole', role.rolcreaterole,
        'createdb', role.rolcreatedb, 'login', role.rolcanlogin, 'replication', role.rolreplication,
        'bypassrls', role.rolbypassrls, 'connectionLimit', nullif(role.rolconnlimit, -1),
        'validUntil', CASE WHEN pg_catalog.isfinite(role.rolvaliduntil)
            THEN pg_catalog.to_char(role.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') END,
        'memberOf', coalesce(memberships.list, '{}'),
        'md5', coalesce(pg_catalog.starts_with(role.rolpassword, 'md5'), false),
        'passwordless', role.rolpassword IS NULL,
        'ownsIn', coalesce(traces.owns, '[]'), 'grantedIn', coalesce(traces.granted, '[]'))), '{}')
    FROM pg_catalog.pg_authid role
        LEFT JOIN memberships ON memberships.member = role.oid
        LEFT JOIN traces ON traces.refobjid = role.oid
    WHERE NOT pg_catalog.starts_with(role.rolname::pg_catalog.text, 'pg_')),
'verifiers', (SELECT coalesce(pg_catalog.json_object_agg(rolname, rolpassword), '{}')
    FROM pg_catalog.pg_authid WHERE pg_catalog.octet_length(rolpassword) <= {verifier}),
'parameters', (SELECT coalesce(pg_catalog.json_object_agg(role.rolname, (
        SELECT coalesce(pg_catalog.json_agg(item.setting), '[]')
        FROM (SELECT one.setting, pg_catalog.sum(pg_catalog.octet_length(one.setting))
                    OVER (ORDER BY pg_catalog.octet_length(one.setting), one.place) AS bytes
                FROM pg_catalog.unnest(stored.setconfig) WITH ORDINALITY one(setting, place)) item
        WHERE item.bytes <= {settings})), '{}')
    FROM pg_catalog.pg_db_role_setting stored JOIN pg_catalog.pg_authid role ON role.oid = stored.setrole
    WHERE stored.setdatabase = 0),
'databases', (SELECT coalesce(pg_catalog.json_object_agg(datname, pg_catalog.json_build_object(
        'owner', pg_catalog.pg_get_userbyid(datdba), 'template', datistemplate, 'closed', NOT datallowconn,
        'connectionLimit', nullif(datconnlimit, -1), 'encoding', pg_catalog.pg_encoding_to_char(encoding),
        'localeProvider', {provider}, 'collate', datcollate, 'ctype', datctype,
        'acl', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                'grantee', CASE item.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(item.grantee)::pg_catalog.text END,
                'privilege', item.privilege_type, 'grantor', pg_catalog.pg_get_userbyid(item.grantor))), '[]')
            FROM pg_catalog.aclexplode(datacl) item))), '{}')
    FROM pg_catalog.pg_database),
'settings', (SELECT coalesce(pg_catalog.json_object_agg(name, setting), '{}') FROM pg_catalog.pg_settings
    WHERE name IN ('max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions',
        'max_locks_per_transaction')))::pg_catalog.text";

/// Of event triggers those that fire for a replica as well; the newer majors let a session go without any.
const CONTENT: &str = "
SELECT pg_catalog.json_build_object(
'schemas', (SELECT coalesce(pg_catalog.json_object_agg(nspname, pg_catalog.pg_get_userbyid(nspowner)), '{}')
    FROM pg_catalog.pg_namespace
    WHERE NOT pg_catalog.starts_with(nspname::pg_catalog.text, 'pg_') AND nspname <> 'information_schema'),
'extensions', (SELECT coalesce(pg_catalog.json_object_agg(it.extname, pg_catalog.json_build_object(
        'schema', place.nspname, 'version', it.extversion, 'available', offered.default_version,
        'relocatable', it.extrelocatable,
        'updatable', it.extversion <> offered.default_version AND EXISTS (
            SELECT FROM pg_catalog.pg_extension_update_paths(it.extname) way
            WHERE way.source = it.extversion AND way.target = offered.default_version AND way.path IS NOT NULL))), '{}')
    FROM pg_catalog.pg_extension it
        JOIN pg_catalog.pg_namespace place ON place.oid = it.extnamespace
        LEFT JOIN pg_catalog.pg_available_extensions offered ON offered.name = it.extname),
'defaultPrivileges', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'creator', pg_catalog.pg_get_userbyid(stored.defaclrole), 'schema', place.nspname,
        'objects', CASE stored.defaclobjtype WHEN 'n' THEN 'schemas' WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
            WHEN 'f' THEN 'functions' ELSE 'types' END,
        'grantee', CASE item.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(item.grantee)::pg_catalog.text END,
        'privilege', item.privilege_type)), '[]')
    FROM pg_catalog.pg_default_acl stored
        LEFT JOIN pg_catalog.pg_namespace place ON place.oid = stored.defaclnamespace
        CROSS JOIN LATERAL pg_catalog.aclexplode(stored.defaclacl) item
    WHERE stored.defaclobjtype IN ('n', 'r', 'S', 'f', 'T')
        AND item.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE', 'EXECUTE')),
'schemaGrants', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(place.nspname,
        pg_catalog.pg_get_userbyid(item.grantee), item.privilege_type)), '[]')
    FROM pg_catalog.pg_namespace place CROSS JOIN LATERAL pg_catalog.aclexplode(place.nspacl) item
    WHERE item.grantee <> 0
        AND NOT pg_catalog.starts_with(place.nspname::pg_catalog.text, 'pg_')),
'lookups', (SELECT coalesce(pg_catalog.json_object_agg(place.nspname, pg_catalog.json_build_object(
        'owner', pg_catalog.pg_get_userbyid(code.proowner), 'definer', code.prosecdef,
        'pinned', EXISTS (SELECT FROM pg_catalog.unnest(code.proconfig) item
            WHERE pg_catalog.starts_with(item, 'search_path=')),
        'callers', (SELECT coalesce(pg_catalog.json_agg(CASE item.grantee WHEN 0 THEN ''
                ELSE pg_catalog.pg_get_userbyid(item.grantee)::pg_catalog.text END), '[]')
            FROM pg_catalog.aclexplode(coalesce(code.proacl, pg_catalog.acldefault('f', code.proowner))) item
            WHERE item.privilege_type = 'EXECUTE'))), '{}')
    FROM pg_catalog.pg_proc code JOIN pg_catalog.pg_namespace place ON place.oid = code.pronamespace
    WHERE code.proname = 'user_lookup' AND code.proargtypes = '25'::pg_catalog.oidvector),
'objects', {objects},
'eventTriggers', (SELECT coalesce(pg_catalog.json_object_agg(it.evtname, pg_catalog.json_build_object(
        'owner', pg_catalog.pg_get_userbyid(it.evtowner), 'functionOwner', pg_catalog.pg_get_userbyid(code.proowner))), '{}')
    FROM pg_catalog.pg_event_trigger it JOIN pg_catalog.pg_proc code ON code.oid = it.evtfoid
    WHERE it.evtenabled IN ('A', 'R')
        AND coalesce(pg_catalog.current_setting('event_triggers', true), 'on') <> 'off'))::pg_catalog.text";

/// Tables, views and sequences, those together to which the same is granted. What an extension made is its own.
const OBJECTS: &str = "(
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', it.place, 'objects', it.kind, 'names', it.names,
        'grants', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
                pg_catalog.pg_get_userbyid(item.grantee), item.privilege_type)), '[]')
            FROM pg_catalog.aclexplode(it.relacl) item
            WHERE item.grantee <> 0 AND item.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE')))), '[]')
    FROM (SELECT place.nspname AS place, item.relacl,
            CASE item.relkind WHEN 'S' THEN 'sequences' ELSE 'tables' END AS kind,
            pg_catalog.json_agg(item.relname) AS names
        FROM pg_catalog.pg_class item JOIN pg_catalog.pg_namespace place ON place.oid = item.relnamespace
        WHERE item.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND NOT pg_catalog.starts_with(place.nspname::pg_catalog.text, 'pg_') AND place.nspname <> 'information_schema'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend made
                WHERE made.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND made.objid = item.oid AND made.deptype = 'e')
        GROUP BY 1, 2, 3) it)";

#[cfg(test)]
mod tests {
    use pgherd_model::postgres_parameters::HOT_STANDBY;

    use super::*;

    #[test]
    fn every_parameter_that_a_replica_needs_as_much_of_is_read() {
        assert_eq!(SHARED.matches("'max_").count(), HOT_STANDBY.len());
        assert!(
            HOT_STANDBY
                .iter()
                .all(|name| SHARED.contains(&format!("'{name}'")))
        );
    }
}
