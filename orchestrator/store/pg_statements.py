"""The statements of the PostgreSQL store; each takes its rows as arrays, and looks others up by the keys in them.

A plan is kept for as long as the server's statistics of a table are. One made while the table was empty may read all of
its index and compare each entry with each row of the arrays, which costs seconds once thousands of rows came.
PostgreSQL considers that only where a merge would want the order of the index, thus only for a plain equality. The
first column of an index is therefore looked up by `= ANY(ARRAY[...])`, which leaves nothing but a look-up for each row.
"""

from orchestrator.store.ports import LATEST_NODES, LATEST_SIZE

CURRENT = """
SELECT k.i, c.run_id::text FROM unnest(%s, %s, %s, %s) AS k(i, s, n, w)
JOIN current_execution c ON c.shard_id = ANY(ARRAY[k.s]) AND c.namespace_id = k.n AND c.workflow_id = k.w
"""

RUNS = """
SELECT k.i, e.version, CASE WHEN e.version = k.v THEN NULL ELSE e.state END
FROM unnest(%s, %s, %s, %s) AS k(i, s, r, v)
JOIN execution e ON e.shard_id = ANY(ARRAY[k.s]) AND e.run_id = k.r
"""

RUNS_WITH_HISTORY = f"""
SELECT k.i, e.version, CASE WHEN e.version = k.v THEN NULL ELSE e.state END, n.firsts, n.lasts, n.events
FROM unnest(%s, %s, %s, %s, %s) AS k(i, s, r, v, h)
JOIN execution e ON e.shard_id = ANY(ARRAY[k.s]) AND e.run_id = k.r
LEFT JOIN LATERAL (
    SELECT array_agg(first_event_id ORDER BY first_event_id) AS firsts,
        array_agg(last_event_id ORDER BY first_event_id) AS lasts, array_agg(events ORDER BY first_event_id) AS events
    FROM (
        SELECT first_event_id, last_event_id, events, sum(length(events)) OVER (ORDER BY first_event_id DESC) AS total
        FROM history_node WHERE shard_id = k.s AND branch_id = k.r ORDER BY first_event_id DESC LIMIT {LATEST_NODES}
    ) latest WHERE total <= {LATEST_SIZE}
) n ON k.h > 0 AND e.version <> k.v
"""

REQUESTS = "SELECT request_ids FROM signal_requests WHERE shard_id = %s AND run_id = %s ORDER BY number"

FENCES = "SELECT id, range_id FROM shard WHERE id = ANY(%s)"

PARTS: dict[str, str] = {
    "fences": """SELECT 1 FROM shard h JOIN unnest(%s, %s) AS k(s, r) ON h.id = ANY(ARRAY[k.s]) AND h.range_id = k.r
        ORDER BY h.id FOR SHARE OF h""",
    "current": """INSERT INTO current_execution (shard_id, namespace_id, workflow_id, run_id)
        SELECT * FROM unnest(%s, %s, %s, %s)""",
    "moved": """UPDATE current_execution c SET run_id = k.r FROM unnest(%s, %s, %s, %s, %s) AS k(s, n, w, o, r)
        WHERE c.shard_id = ANY(ARRAY[k.s]) AND c.namespace_id = k.n AND c.workflow_id = k.w AND c.run_id = k.o
        RETURNING 1""",
    "created": """INSERT INTO execution (shard_id, run_id, namespace_id, workflow_id, version, state)
        SELECT s, r, n, w, 1, b FROM unnest(%s, %s, %s, %s, %s) AS k(s, r, n, w, b)""",
    "updated": """UPDATE execution e SET version = k.v, state = k.b FROM unnest(%s, %s, %s, %s) AS k(s, r, v, b)
        WHERE e.shard_id = ANY(ARRAY[k.s]) AND e.run_id = k.r AND e.version = k.v - 1 RETURNING 1""",
    "nodes": """INSERT INTO history_node (shard_id, branch_id, first_event_id, last_event_id, events)
        SELECT * FROM unnest(%s, %s, %s, %s, %s)""",
    "requests": """INSERT INTO signal_requests (shard_id, run_id, number, request_ids)
        SELECT * FROM unnest(%s, %s, %s, %s)""",
    "buried": """DELETE FROM dispatch_task d USING unnest(%s, %s, %s, %s) AS k(s, r, c, i)
        WHERE d.shard_id = ANY(ARRAY[k.s]) AND d.run_id = k.r AND d.kind = k.c AND d.scheduled_event_id = k.i""",
    "discarded": """DELETE FROM dispatch_task d USING unnest(%s, %s, %s, %s, %s) AS k(s, r, c, i, st)
        WHERE d.shard_id = ANY(ARRAY[k.s]) AND d.run_id = k.r AND d.kind = k.c AND d.scheduled_event_id = k.i
            AND d.stamp = k.st""",
    "tasks": """INSERT INTO dispatch_task (shard_id, namespace_id, task_queue, kind, priority, created_time,
            workflow_id, run_id, scheduled_event_id, stamp, fairness_pass, fairness_key, fairness_weight)
        SELECT * FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
    "transferred": """DELETE FROM transfer_task t USING unnest(%s, %s, %s, %s) AS k(s, r, c, i)
        WHERE t.shard_id = ANY(ARRAY[k.s]) AND t.run_id = k.r AND t.kind = k.c AND t.event_id = k.i""",
    "transfers": """INSERT INTO transfer_task (shard_id, namespace_id, workflow_id, run_id, kind, event_id,
            created_time)
        SELECT * FROM unnest(%s, %s, %s, %s, %s, %s, %s)""",
    "slept": """DELETE FROM timer_task t USING unnest(%s, %s) AS k(s, r)
        WHERE t.shard_id = ANY(ARRAY[k.s]) AND t.run_id = k.r""",
    "wakes": """INSERT INTO timer_task (shard_id, run_id, namespace_id, workflow_id, fire_time)
        SELECT * FROM unnest(%s, %s, %s, %s, %s)
        ON CONFLICT (shard_id, run_id) DO UPDATE
        SET fire_time = excluded.fire_time, attempts = 0, failing_since = 0, last_error = ''""",
    "new_records": """INSERT INTO visibility_record (shard_id, run_id, namespace_id, workflow_id, workflow_type,
            task_queue, status, start_time, execution_time, close_time, execution_duration, history_length,
            history_size_bytes, state_transition_count, parent_workflow_id, parent_run_id, root_workflow_id,
            root_run_id, memo, payloads, search_attributes, namespace_division)
        SELECT s, r, n, w, t, q, st, b, x, c, d, l, z, tc, pw, pr, rw, rr, m, p, a::jsonb, nd
        FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        AS k(s, r, n, w, t, q, st, b, x, c, d, l, z, tc, pw, pr, rw, rr, m, p, a, nd)""",
    "records": """UPDATE visibility_record v SET task_queue = k.q, status = k.st, execution_time = k.x,
            close_time = k.c, execution_duration = k.d, history_length = k.l, history_size_bytes = k.z,
            state_transition_count = k.tc, memo = k.m, payloads = k.p, search_attributes = k.a::jsonb,
            namespace_division = k.nd
        FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        AS k(s, r, q, st, x, c, d, l, z, tc, m, p, a, nd)
        WHERE v.run_id = ANY(ARRAY[k.r]) AND v.shard_id = k.s""",
}
