-- The public schema of vault.duckdb. Times are UTC TIMESTAMPs, durations seconds, sizes bytes.
-- Everything here is made from the journals; `tablevault rebuild` makes it again.
-- Tables carry no keys or indexes: each would be paid for by every ingest, and ingest alone writes here.

CREATE TABLE vault_meta (
    schema_version INTEGER NOT NULL,     -- of this file; a program that knows only older ones refuses it
    created_at     TIMESTAMP NOT NULL
);

-- One row a run of an OS process under a name.
CREATE TABLE processes (
    process_id   VARCHAR NOT NULL,
    name         VARCHAR NOT NULL,
    run          INTEGER NOT NULL,       -- 1 for the first run of that name
    kind         VARCHAR NOT NULL,       -- notebook, script, command, worker
    status       VARCHAR NOT NULL,       -- running, pausing, paused, stopping, stopped, finished, failed; lost (gone,
                                         -- without an ending) and unknown (cannot be seen from here) are derived
    activity     VARCHAR,                -- of a living notebook: busy, idle
    user_id      VARCHAR,
    host         VARCHAR,
    pid          BIGINT,
    create_time  TIMESTAMP,              -- when the OS process was created; NULL when seen after a reboot
    boot_id      VARCHAR,                -- names the boot of the machine: pids are reused after the next
    pid_ns       VARCHAR,                -- PID namespace (containers)
    start_ticks  BIGINT,                 -- with pid, boot_id and pid_ns: the identity of the OS process
    parent_id    VARCHAR,                -- processes.process_id of the process that started it
    parent_cell  INTEGER,                -- cells.seq of the parent's cell that started it; NULL when not known
    started_at   TIMESTAMP,
    ended_at     TIMESTAMP,
    exit_code    INTEGER,
    exit_signal  INTEGER,
    error        VARCHAR,                -- one line: why it failed
    path         VARCHAR,                -- script file, or module
    argv         VARCHAR[],
    cwd          VARCHAR,
    python       VARCHAR,                -- the interpreter
    kernel_id    VARCHAR,                -- Jupyter's
    notebook     VARCHAR,                -- path of the notebook
    description  VARCHAR NOT NULL,
    names        VARCHAR[] NOT NULL,     -- every name it has had
    controllable BOOLEAN NOT NULL,       -- whether it can be asked anything at a checkpoint
    wrapper      VARCHAR,                -- identity of the `tablevault run` around it, JSON
    suspended    BOOLEAN,                -- of a living one: whether the operating system had it suspended, when last seen
    paused_from_outside BOOLEAN NOT NULL, -- suspended by a signal that no request of this vault explains
    request_id   VARCHAR                 -- requests.request_id that explains its present state, or waits
);

-- One row an executed notebook cell; a script's whole source is its cell 0.
CREATE TABLE cells (
    process_id      VARCHAR NOT NULL,
    seq             INTEGER NOT NULL,    -- from 0, in order of execution
    cell_id         VARCHAR,             -- the front end's
    execution_count INTEGER,             -- [N] in the notebook
    code            VARCHAR,             -- NULL when its beginning was lost with a damaged journal
    status          VARCHAR NOT NULL,    -- running, ok, error, aborted; lost: its process is over, it never ended
    started_at      TIMESTAMP,
    ended_at        TIMESTAMP,
    duration        DOUBLE,              -- seconds
    error_type      VARCHAR,
    error_message   VARCHAR,
    traceback       VARCHAR,
    output_tail     VARCHAR,             -- the end of what it printed
    private         BOOLEAN NOT NULL     -- %%vault_private: known to have run, code and output not kept
);

-- One row a stop, pause or resume, with its receipts.
CREATE TABLE requests (
    request_id     VARCHAR NOT NULL,
    process_id     VARCHAR NOT NULL,     -- the target
    action         VARCHAR NOT NULL,     -- stop, pause, resume
    now            BOOLEAN NOT NULL,     -- by signals, not at a checkpoint
    keep_kernel    BOOLEAN NOT NULL,
    grace          DOUBLE NOT NULL,      -- seconds
    escalate       BOOLEAN NOT NULL,
    requested_by   VARCHAR,
    reason         VARCHAR,
    requested_at   TIMESTAMP NOT NULL,
    seen_at        TIMESTAMP,
    effective_at   TIMESTAMP,
    outcome        VARCHAR,              -- effective, withdrawn, superseded, failed, interrupted, lost; NULL: pending
    seen_latency   DOUBLE,               -- seconds since the request, by the monotonic clock
    effect_latency DOUBLE,
    note           VARCHAR,
    detail         JSON
);

-- Rows that processes append: results, metrics.
CREATE TABLE records (
    list        VARCHAR NOT NULL,
    seq         BIGINT NOT NULL,         -- from 0, within the list and the process that appended
    process_id  VARCHAR NOT NULL,
    cell_seq    INTEGER,                 -- cells.seq of the cell that appended it
    appended_at TIMESTAMP NOT NULL,
    record      JSON
);

-- Every "this list exists": the first one made it.
CREATE TABLE list_creations (
    name       VARCHAR NOT NULL,
    columns    VARCHAR[],
    created_by VARCHAR NOT NULL,         -- process_id
    created_at TIMESTAMP NOT NULL
);

CREATE VIEW record_lists AS
    SELECT name,
           coalesce(arg_min(columns, created_at) FILTER (len(columns) > 0), []) AS columns,
           arg_min(created_by, (created_at, created_by)) AS created_by,
           min(created_at) AS created_at
    FROM list_creations GROUP BY name;

-- Every description ever given; the newest of an item and name counts.
CREATE TABLE description_history (
    item_name    VARCHAR NOT NULL,       -- a process (NAME, NAME#RUN, id), a cell (PROCESS:SEQ), a list, anything
    name         VARCHAR NOT NULL,
    text         VARCHAR,
    embedding    FLOAT[],
    process_id   VARCHAR NOT NULL,       -- who said so
    described_at TIMESTAMP NOT NULL,
    n            BIGINT NOT NULL
);

CREATE VIEW descriptions AS
    SELECT item_name, name, text, embedding, process_id, described_at FROM description_history
    QUALIFY row_number() OVER (PARTITION BY item_name, name ORDER BY described_at DESC, process_id DESC, n DESC) = 1;

-- Errors outside a cell's own result: threads, asyncio tasks, display.
CREATE TABLE seen_errors (
    process_id    VARCHAR NOT NULL,
    cell_seq      INTEGER,
    happened_at   TIMESTAMP NOT NULL,
    error_type    VARCHAR,
    error_message VARCHAR,
    traceback     VARCHAR,
    source        VARCHAR                -- thread, task, display, magic
);

-- The raw control events: what the state of each process is folded from.
CREATE TABLE events (
    process_id VARCHAR NOT NULL,
    source     VARCHAR NOT NULL,         -- own (its journal), wrapper (`tablevault run`), inbox (requests to it)
    position   BIGINT NOT NULL,          -- number of the line in the journal; in the inbox, its end in bytes
    happened_at TIMESTAMP,
    type       VARCHAR NOT NULL,
    data       VARCHAR NOT NULL          -- the line: strict JSON
);

-- Raw events of the kinds that the views below show.
CREATE TABLE details (
    process_id VARCHAR NOT NULL,
    n          BIGINT NOT NULL,
    happened_at TIMESTAMP NOT NULL,
    type       VARCHAR NOT NULL,         -- sample, child, task, actor, progress, log
    id         VARCHAR,                  -- of the child, task or actor
    data       JSON NOT NULL
);

-- OS processes below a recorded one, newest word about each.
CREATE VIEW children AS
    SELECT process_id, id AS child_id, max_by(data, n)->>'pid' AS pid, min(happened_at) AS first_seen_at, max(happened_at) AS last_seen_at,
           (max_by(data, n)->>'cell_seq')::INTEGER AS cell_seq, max_by(data, n)->>'command' AS command,
           max_by(data, n)->>'status' AS status, max_by(data, n) AS detail
    FROM details WHERE type = 'child' GROUP BY process_id, id;

-- What a process and its descendants used.
CREATE VIEW samples AS
    SELECT process_id, happened_at, (data->>'cpu')::DOUBLE AS cpu, (data->>'rss')::BIGINT AS rss,
           (data->>'threads')::INTEGER AS threads, (data->>'children')::INTEGER AS children, data AS detail
    FROM details WHERE type = 'sample';

-- Function calls submitted to a pool, newest word about each.
CREATE VIEW tasks AS
    SELECT process_id, id AS task_id, max_by(data, n)->>'name' AS name, max_by(data, n)->>'status' AS status,
           min(happened_at) AS submitted_at, max(happened_at) AS changed_at, (max_by(data, n)->>'cell_seq')::INTEGER AS cell_seq,
           max_by(data, n)->>'error' AS error, max_by(data, n) AS detail
    FROM details WHERE type = 'task' GROUP BY process_id, id;

-- Actors inside event loops, newest word about each.
CREATE VIEW actors AS
    SELECT process_id, id AS actor_id, max_by(data, n)->>'name' AS name, max_by(data, n)->>'status' AS status,
           min(happened_at) AS spawned_at, max(happened_at) AS changed_at, max_by(data, n)->>'reason' AS reason, max_by(data, n) AS detail
    FROM details WHERE type = 'actor' GROUP BY process_id, id;

-- How far a process has come.
CREATE VIEW progress AS
    SELECT process_id, happened_at, (data->>'done')::DOUBLE AS done, (data->>'total')::DOUBLE AS total, data->>'desc' AS "desc",
           (data->>'rate')::DOUBLE AS rate, (data->>'elapsed')::DOUBLE AS elapsed
    FROM details WHERE type = 'progress';

-- Up to where each journal and inbox has been read: committed with the rows, hence exactly once.
CREATE TABLE offsets (
    file        VARCHAR NOT NULL,        -- below the vault's directory
    inode       BIGINT NOT NULL,         -- 0: compressed; -1: gone
    position    BIGINT NOT NULL,         -- bytes
    last_n      BIGINT NOT NULL,         -- number of the last line
    fingerprint VARCHAR NOT NULL         -- hex of the bytes just before the position: notices a rewritten file
);

-- How many records of each list each process has appended: where `records.seq` goes on.
CREATE TABLE record_counts (
    list       VARCHAR NOT NULL,
    process_id VARCHAR NOT NULL,
    records    BIGINT NOT NULL
);

-- Lines that are no events.
CREATE TABLE quarantine (
    file        VARCHAR NOT NULL,
    position    BIGINT NOT NULL,         -- where the line begins, bytes
    line        BLOB NOT NULL,           -- its first MiB
    reason      VARCHAR NOT NULL,
    noticed_at  TIMESTAMP NOT NULL
);

-- What ingest met and people should know.
CREATE TABLE notices (
    happened_at TIMESTAMP NOT NULL,
    kind       VARCHAR NOT NULL,         -- quarantined, replaced, deleted, unfoldable
    process_id VARCHAR,
    file       VARCHAR,
    message    VARCHAR NOT NULL
);

CREATE VIEW errors AS
    SELECT c.process_id, p.name, p.run, c.seq AS cell_seq, coalesce(c.ended_at, c.started_at) AS happened_at,
           c.error_type, c.error_message, c.traceback, 'cell' AS source, c.code
    FROM cells c LEFT JOIN processes p USING (process_id)
    WHERE c.error_type IS NOT NULL AND c.status <> 'aborted'  -- that somebody stopped it is no error
    UNION ALL
    SELECT e.process_id, p.name, p.run, e.cell_seq, e.happened_at, e.error_type, e.error_message, e.traceback, e.source, c.code
    FROM seen_errors e LEFT JOIN processes p USING (process_id)
    LEFT JOIN cells c ON c.process_id = e.process_id AND c.seq = e.cell_seq;

CREATE VIEW slow_cells AS
    SELECT c.process_id, p.name, p.run, c.seq, c.execution_count, c.duration, c.status, c.started_at, c.code
    FROM cells c LEFT JOIN processes p USING (process_id)
    WHERE c.duration IS NOT NULL ORDER BY c.duration DESC;

-- Every process with its depth below a root and the path of names that leads to it.
CREATE VIEW process_tree AS
    WITH RECURSIVE tree AS (
        SELECT process_id, parent_id, name, run, kind, status, parent_cell, started_at, ended_at, 0 AS depth,
               [name || '#' || run] AS path, [process_id] AS ids
        FROM processes WHERE parent_id IS NULL OR parent_id NOT IN (SELECT process_id FROM processes)
        UNION ALL
        SELECT p.process_id, p.parent_id, p.name, p.run, p.kind, p.status, p.parent_cell, p.started_at, p.ended_at,
               t.depth + 1, list_append(t.path, p.name || '#' || p.run), list_append(t.ids, p.process_id)
        FROM processes p JOIN tree t ON p.parent_id = t.process_id
        WHERE NOT list_contains(t.ids, p.process_id)
    )
    SELECT process_id, parent_id, name, run, kind, status, parent_cell, started_at, ended_at, depth,
           array_to_string(path, '/') AS path
    FROM tree ORDER BY ids;

CREATE VIEW request_latency AS
    SELECT r.request_id, r.process_id, p.name, p.run, r.action, r.now, r.requested_by, r.requested_at, r.outcome,
           coalesce(r.seen_latency, date_diff('microsecond', r.requested_at, r.seen_at) / 1e6) AS seen_latency,
           coalesce(r.effect_latency, date_diff('microsecond', r.requested_at, r.effective_at) / 1e6) AS effect_latency
    FROM requests r LEFT JOIN processes p USING (process_id);

CREATE VIEW running AS
    SELECT * FROM processes WHERE status NOT IN ('stopped', 'finished', 'failed', 'lost');

-- Living processes whose parent is over.
CREATE VIEW orphans AS
    SELECT c.*, p.name AS parent_name, p.status AS parent_status
    FROM running c JOIN processes p ON p.process_id = c.parent_id
    WHERE p.status IN ('stopped', 'finished', 'failed', 'lost');
