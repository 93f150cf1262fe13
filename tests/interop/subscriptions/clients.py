"""Programs that run in virtual environments of their own and read what the hub shares, unmodified."""

DELTA_SHARING = ["delta-sharing==1.4.2"]
ENGINES = [
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-delta==1.5.5",
    "duckdb-extension-httpfs==1.5.5",
    "polars==1.35.2",
    "deltalake==1.6.6",
    "pyarrow==24.0.0",
    "pytz==2025.2",
]

READ_SHARE = """
import json, sys
import delta_sharing
profile, version = sys.argv[1], int(sys.argv[2])
client = delta_sharing.SharingClient(profile)
tables = client.list_all_tables()
url = f"{profile}#{tables[0].share}.{tables[0].schema}.{tables[0].name}"
frame = delta_sharing.load_as_pandas(url)
old = delta_sharing.load_as_pandas(url, version=version)
limited = delta_sharing.load_as_pandas(url, limit=2)
hinted = delta_sharing.load_as_pandas(url, jsonPredicateHints=json.dumps({"op": "equal", "children": [
    {"op": "column", "name": "code", "valueType": "string"},
    {"op": "literal", "value": "4", "valueType": "string"}]}))
changes = delta_sharing.load_table_changes_as_pandas(url, starting_version=1)
def rows(frame, *columns):
    return sorted([[None if value is None or value != value else str(value) for value in row]
                   for row in frame[list(columns)].astype(object).values.tolist()], key=str)
kinds = ("_commit_version", "_change_type", "code", "name")
print("RESULT " + json.dumps({
    "tables": [f"{t.share}.{t.schema}.{t.name}" for t in tables],
    "version": delta_sharing.get_table_version(url),
    "schema": [f["name"] for f in json.loads(delta_sharing.get_table_metadata(url).schema_string)["fields"]],
    "columns": list(frame.columns),
    "rows": rows(frame, "code", "name", "amount", "day"),
    "old": rows(old, "code", "name", "amount", "day"),
    "limited": len(limited), "hinted": len(hinted),
    "changes": rows(changes, *kinds)}))
"""

READ_LAKE = """
import json, sys
import duckdb, duckdb_extensions, polars
uri, options = sys.argv[1], json.loads(sys.argv[2])
db = duckdb.connect()
db.execute("SET autoinstall_known_extensions = false")
for name in ("delta", "httpfs"):
    duckdb_extensions.import_extension(name, con=db)
    db.load_extension(name)
if options:
    endpoint = options["AWS_ENDPOINT_URL"].split("://")[1]
    db.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{options['AWS_ACCESS_KEY_ID']}', SECRET "
               f"'{options['AWS_SECRET_ACCESS_KEY']}', ENDPOINT '{endpoint}', URL_STYLE 'path', "
               "USE_SSL false, REGION 'us-east-1')")
def text(rows):
    return sorted([[None if value is None else str(value) for value in row] for row in rows], key=str)
columns = 'code, name, amount, day, "at", yes, _version'
found = db.sql(f"SELECT {columns} FROM delta_scan('{uri}')").fetchall()
frame = polars.read_delta(uri, storage_options=options).select(columns.replace(chr(34), "").split(", "))
print("RESULT " + json.dumps({"duckdb": text(found), "polars": text(frame.rows())}))
"""
