"""The code blocks of PyProcessor's document on its process manager, in order, as they stand there."""

from __future__ import annotations

import re

NEW_IMPORT = "from tablevault_ext.process_manager import *"

BLOCKS = [
    """\
from pyprocessor.utils.process_manager import get_process_manager

# Get the process manager
process_manager = get_process_manager()
""",
    """\
from pyprocessor.utils.process_manager import run_process, run_process_async

# Run a process and wait for it to complete
result = run_process(
    cmd=["ffmpeg", "-i", "input.mp4", "output.mp4"],
    cwd="/path/to/working/dir",
    timeout=60  # Timeout in seconds
)

# Check the result
if result["returncode"] == 0:
    print("Process completed successfully")
    print(f"Output: {result['stdout']}")
else:
    print(f"Process failed with return code {result['returncode']}")
    print(f"Error: {result['stderr']}")

# Run a process asynchronously
process_id = run_process_async(
    cmd=["ffmpeg", "-i", "input.mp4", "output.mp4"],
    cwd="/path/to/working/dir"
)

# Check the status later
status = get_process_status(process_id)
print(f"Process status: {status['status']}")
""",
    """\
from pyprocessor.utils.process_manager import get_process_status, terminate_process, list_processes, cleanup_processes

# Get the status of a process
status = get_process_status(process_id)
print(f"Process status: {status['status']}")

# Terminate a process
terminated = terminate_process(process_id)
if terminated:
    print("Process terminated")
else:
    print("Process not found or already completed")

# List all processes
processes = list_processes()
for process in processes:
    print(f"Process {process['process_id']}: {process['status']}")

# Clean up completed processes
cleaned_up = cleanup_processes()
print(f"Cleaned up {cleaned_up} processes")
""",
    """\
from pyprocessor.utils.process_manager import create_process_pool, submit_task, get_task_result

# Create a process pool
pool_id = create_process_pool(max_workers=4)

# Define a task function
def process_file(file_path):
    # Process the file
    return f"Processed {file_path}"

# Submit tasks to the pool
task_ids = []
for file_path in ["file1.mp4", "file2.mp4", "file3.mp4"]:
    task_id = submit_task(process_file, file_path, executor_id=pool_id)
    task_ids.append(task_id)

# Get the results
for task_id in task_ids:
    result = get_task_result(task_id)
    print(result)

# Shutdown the pool when done
shutdown_executor(pool_id)
""",
    """\
from pyprocessor.utils.process_manager import create_thread_pool, submit_task

# Create a thread pool
pool_id = create_thread_pool(max_workers=10)

# Define a task function
def download_file(url):
    # Download the file
    return f"Downloaded {url}"

# Submit tasks to the pool
task_ids = []
for url in ["http://example.com/file1", "http://example.com/file2"]:
    task_id = submit_task(download_file, url, executor_id=pool_id)
    task_ids.append(task_id)

# Get the results
for task_id in task_ids:
    result = get_task_result(task_id)
    print(result)

# Shutdown the pool when done
shutdown_executor(pool_id)
""",
    """\
from pyprocessor.utils.process_manager import get_default_process_pool, get_default_thread_pool, submit_task

# Get the default process pool
process_pool_id = get_default_process_pool()

# Get the default thread pool
thread_pool_id = get_default_thread_pool()

# Submit a task to the default process pool
task_id = submit_task(process_file, "file.mp4")  # Uses default process pool

# Submit a task to the default thread pool
task_id = submit_task(download_file, "http://example.com/file", executor_id=thread_pool_id)
""",
    """\
from pyprocessor.utils.process_manager import get_task_status, cancel_task

# Get the status of a task
status = get_task_status(task_id)
print(f"Task status: {status['status']}")

# Cancel a task
cancelled = cancel_task(task_id)
if cancelled:
    print("Task cancelled")
else:
    print("Task not found or already completed")
""",
    """\
from pyprocessor.utils.process_manager import create_queue, put_queue_item, get_queue_item

# Create a queue
queue_id = create_queue(maxsize=10)

# Put items in the queue
put_queue_item(queue_id, "item1")
put_queue_item(queue_id, {"key": "value"})

# Get items from the queue
item1 = get_queue_item(queue_id)
item2 = get_queue_item(queue_id)

# Check queue status
size = get_queue_size(queue_id)
is_empty = is_queue_empty(queue_id)
is_full = is_queue_full(queue_id)

# Clear the queue
cleared = clear_queue(queue_id)
print(f"Cleared {cleared} items from the queue")

# Delete the queue when done
delete_queue(queue_id)
""",
    """\
from pyprocessor.utils.process_manager import create_shared_value, get_shared_value, set_shared_value

# Create a shared integer value
value_id = create_shared_value(value_type="i", initial_value=0)

# Get the value
value = get_shared_value(value_id)
print(f"Value: {value}")

# Set the value
set_shared_value(value_id, 42)

# Create a shared boolean value
bool_id = create_shared_value(value_type="b", initial_value=False)

# Create a shared double value
double_id = create_shared_value(value_type="d", initial_value=3.14)
""",
    """\
from pyprocessor.utils.process_manager import create_event, set_event, clear_event, wait_for_event, is_event_set

# Create an event
event_id = create_event()

# Set the event
set_event(event_id)

# Check if the event is set
if is_event_set(event_id):
    print("Event is set")

# Clear the event
clear_event(event_id)

# Wait for the event to be set
if wait_for_event(event_id, timeout=10):
    print("Event was set")
else:
    print("Timeout waiting for event")
""",
    """\
from pyprocessor.utils.process_manager import create_lock, acquire_lock, release_lock, lock_context

# Create a lock
lock_id = create_lock()

# Acquire the lock
if acquire_lock(lock_id, timeout=5):
    try:
        # Do something with the lock
        print("Lock acquired")
    finally:
        # Release the lock
        release_lock(lock_id)

# Use the lock context manager
with lock_context(lock_id, timeout=5):
    # Do something with the lock
    print("Lock acquired")
    # Lock is automatically released when the context exits
""",
    """\
from pyprocessor.utils.process_manager import run_process
from pyprocessor.utils.path_manager import normalize_path

# Run a process with a normalized working directory
result = run_process(
    cmd=["ffmpeg", "-i", "input.mp4", "output.mp4"],
    cwd=normalize_path("/path/to/working/dir")
)
""",
]


def with_new_import(block: str) -> str:
    """A block with nothing but its import lines changed."""
    return re.sub(r"^from pyprocessor\S* import .*$", NEW_IMPORT, block, flags=re.MULTILINE)
