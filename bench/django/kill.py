"""One task on the table item by Django's ORM, in a process that the harness may kill and begin again at any moment.

The harness makes the tables, runs this with "python3 -c" and gives the database and the size of a batch as JSON on the standard input. The
first line that comes out says that the work begins, and the last one how long the work stood between the commit of a batch and that of
its place, in seconds.
"""

import json
import sys
import time

import django
from django.conf import settings

job = json.load(sys.stdin)
size = job["sizes"]["Batch"]
settings.configure(
    DATABASES={"default": job["database"]},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    TIME_ZONE="UTC",
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.db.models import F  # noqa: E402


class Item(models.Model):
    id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=20)
    status = models.CharField(max_length=10)
    score = models.FloatField()
    created_at = models.DateTimeField()
    note = models.CharField(max_length=100, null=True)

    class Meta:
        app_label = "bench"
        db_table = "item"


class Place(models.Model):
    """How far the backfill is; the harness makes the one row."""

    last = models.BigIntegerField()

    class Meta:
        app_label = "bench"
        db_table = "item_place"


def purge():
    """Begins at the first row: those that are gone need no place."""
    last = 0
    doomed = Item.objects.annotate(third=F("id") % 3).filter(third=0).order_by("id").values_list("id", flat=True)
    while ids := list(doomed.filter(id__gt=last)[:size]):
        with transaction.atomic():
            Item.objects.filter(id__in=ids).delete()
        last = ids[-1]
    return 0


def bulk_update():
    """Batches whose new values are made here. Each is a function that changes the rows, and the key of the last one."""
    last = Place.objects.get().last
    rows = Item.objects.order_by("id")
    while page := list(rows.filter(id__gt=last)[:size]):
        last = page[-1].id

        def change():
            for item in page:
                item.score += 1
            Item.objects.bulk_update(page, ["score"])

        yield change, last


def expression():
    """Batches whose new values the database makes."""
    last = Place.objects.get().last
    ids = Item.objects.order_by("id").values_list("id", flat=True)
    while page := list(ids.filter(id__gt=last)[:size]):
        rows = Item.objects.filter(id__gt=last, id__lte=page[-1])
        last = page[-1]
        yield lambda: rows.update(score=F("score") + 1), last


def place_after(batches):
    """A crash between the two commits leaves a batch that is done and will be done again."""
    between = 0
    for change, last in batches:
        with transaction.atomic():
            change()
        committed = time.perf_counter()
        Place.objects.update(last=last)
        between += time.perf_counter() - committed
    return between


def place_with(batches):
    for change, last in batches:
        with transaction.atomic():
            change()
            Place.objects.update(last=last)
    return 0


tasks = {
    "purge": purge,
    "bulk-update-place-after": lambda: place_after(bulk_update()),
    "expression-place-after": lambda: place_after(expression()),
    "expression-place-with": lambda: place_with(expression()),
}

connection.ensure_connection()
if connection.vendor == "sqlite":
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
print(json.dumps({"begun": True}), flush=True)
print(json.dumps({"between": tasks[job["task"]]()}))
