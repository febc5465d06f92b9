"""One task on bench_item by Django's ORM, in a process of its own, so that its memory is its own too.

The harness makes the table, runs this with "python3 -c" and gives the database and the sizes as JSON on the standard input. One line of
JSON comes out: what was done and what it took.
"""

import json
import sys
import time
from datetime import datetime, timedelta, timezone
from itertools import islice

import django
from django.conf import settings

job = json.load(sys.stdin)
task, size = job["task"], job["sizes"]
settings.configure(
    DATABASES={"default": job["database"]},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    TIME_ZONE="UTC",
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.db.models import F  # noqa: E402

EPOCH = datetime(2024, 1, 1, tzinfo=timezone.utc)
DELETE_BELOW = 500


class Item(models.Model):
    sku = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    qty = models.IntegerField()
    price_cents = models.BigIntegerField()
    active = models.BooleanField()
    category_id = models.IntegerField(db_index=True)
    note = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        app_label = "bench"
        db_table = "bench_item"


def values(i, sku="SKU", note=""):
    """The columns of row i but its key."""
    return {
        "sku": f"{sku}-{i:08d}",
        "name": f"Item number {i}",
        "qty": i * 7919 % 1000,
        "price_cents": 100 + i * 104729 % 1_000_000,
        "active": i % 3 != 0,
        "category_id": i % 50,
        "note": note + "note-" + f"{i * 2654435761 & 0xFFFFFFFF:08x}" * 4,
        "created_at": EPOCH + timedelta(seconds=i),
    }


def updated(i):
    item = Item(id=i + 1, **values(i, note="u"))
    item.qty += 1
    return item


def upserted(i):
    item = Item(**values(i, sku="NEW" if i % 2 else "SKU", note="u"))
    item.qty += 1
    return item


def batches(n, build):
    rows = (build(i) for i in range(n))
    while batch := list(islice(rows, size["Batch"])):
        yield batch


def create():
    n = checksum = 0
    with transaction.atomic():
        for batch in batches(size["Rows"], lambda i: Item(**values(i))):
            for item in Item.objects.bulk_create(batch):
                n += 1
                checksum += item.id * (item.qty + 1)
    return n, checksum


def create_noids():
    n = 0
    with transaction.atomic():
        for batch in batches(size["Rows"], lambda i: Item(**values(i))):
            n += len(Item.objects.bulk_create(batch))
    return n, 0


def update():
    n = 0
    with transaction.atomic():
        for batch in batches(size["Updates"], updated):
            Item.objects.bulk_update(batch, ["qty", "note"], batch_size=size["Batch"])
            n += len(batch)
    return n, 0


def delete():
    n = last = 0
    doomed = Item.objects.filter(qty__lt=DELETE_BELOW).order_by("id").values_list("id", flat=True)
    while ids := list(doomed.filter(id__gt=last)[: size["Batch"]]):
        n += Item.objects.filter(id__in=ids).delete()[0]
        last = ids[-1]
    return n, 0


def stream():
    n = qty = 0
    for item in Item.objects.order_by("id").iterator(chunk_size=size["Page"]):
        n += 1
        qty += item.qty
    return n, qty


def stream_pages():
    n = qty = last = 0
    while page := list(Item.objects.filter(id__gt=last).order_by("id")[: size["Page"]]):
        for item in page:
            n += 1
            qty += item.qty
        last = page[-1].id
    return n, qty


def stream_columns():
    n = total = 0
    for _, qty in Item.objects.order_by("id").values_list("id", "qty").iterator(chunk_size=size["Page"]):
        n += 1
        total += qty
    return n, total


def get():
    n = qty = 0
    for key in job["ids"]:
        qty += Item.objects.get(pk=key).qty
        n += 1
    return n, qty


def get_or_create():
    n = qty = 0
    for i in range(size["Calls"]):
        defaults = values(i, sku="NEW" if i % 2 else "SKU")
        item, _ = Item.objects.get_or_create(sku=defaults.pop("sku"), defaults=defaults)
        n += 1
        qty += item.qty
    return n, qty


def expression():
    return Item.objects.update(qty=F("qty") + 1), 0


def upsert():
    on = {} if connection.vendor == "mysql" else {"unique_fields": ["sku"]}
    n = 0
    for batch in batches(size["Calls"], upserted):
        n += len(Item.objects.bulk_create(batch, update_conflicts=True, update_fields=["qty", "note"], **on))
    return n, 0


def largest():
    """The largest size of this process so far, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


connection.ensure_connection()
if connection.vendor == "sqlite":
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
before, cpu, start = largest(), time.process_time(), time.perf_counter()
rows, checksum = globals()[task.replace("-", "_")]()
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "cpu": time.process_time() - cpu,
    "before": before,
    "peak": largest(),
    "rows": rows,
    "sum": checksum,
}))
