"""Any S3-compatible object storage: AWS, Cloudflare R2, Backblaze B2, Ceph, Garage, …"""

from .connector import S3
from .settings import S3Config, S3Connection

__all__ = ["S3", "S3Config", "S3Connection"]
