"""Append-only files, one writer each: the truth of a vault. Knows nothing of DuckDB.

Every journal line is one JSON object whose first keys are ``e`` (type), ``p`` (process_id), ``n`` (number in
this journal, from 1), ``at`` (µs since the epoch, UTC). The types, and what else they carry (``?``: may be
missing or null):

    process_started      kind, identity {pid, start, boot_id, pid_ns, host}, name?, run?, user_id?, parent_id?,
                         parent_cell?, path?, argv?, cwd?, python?, kernel_id?, notebook?, description?, status
    process_named        name, run, user_id?, description?, parent_id?, parent_cell?
    process_ended        status, exit_code?, exit_signal?, error?, ended_at?, boot, mono
    notebook_moved       notebook
    uncontrolled         reason                          (no control block: recording without control)
    inbox_read           inbox                           (bytes of the inbox that were folded)
    request_seen         id, inbox, status?, boot, mono, detail?
    request_released     id, inbox, boot, mono           (a stopped kernel's run is aborted: its server may end it)
    request_detail       id, inbox, boot, mono, detail   (what was observed later: descendants ended after a stop)
    request_closed       id, inbox, outcome, status?, boot, mono, note?, detail?
    cell_started         seq, code, cell_id?, execution_count?, private?
    cell_finished        seq, status (ok, error, aborted), duration (s), execution_count?, error_type?,
                         error_message?, traceback?
    cell_output          seq, output_tail                (the end of what a cell printed so far; the last one counts)
    error_seen           seq?, error_type, error_message, traceback, source (thread, task, display, magic)
    list_created         list, columns [..]
    record_appended      list, cell_seq?, record (any JSON)
    described            item, name, text, embedding? [floats]
    progress             done, total?, desc?, rate?, elapsed?
    sample, child, task, actor, log                      from the modules that write them

The wrapper's journal (``PROCESS_ID.wrapper.ndjson``) holds process_started and process_ended as `tablevault run`
saw them. Inbox lines are ``request`` (see `model.Request.line`), ``withdraw`` (id, by, at) and ``observed`` (id,
at, boot, mono, status?, outcome?, ended?, detail?): what a requester itself saw of a now-request.
"""
