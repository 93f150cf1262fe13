"""Where files lie: one interface over a directory or an S3 bucket."""

from core.objects.store import ObjectStore as ObjectStore
from core.objects.store import open_object_store as open_object_store
