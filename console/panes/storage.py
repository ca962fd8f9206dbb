"""Storage of all hosts: filesystems, disks, drives, md arrays, ZFS pools; one list at a time, tab shows the next."""

from __future__ import annotations

from console.panes.health_listings import ARRAYS, DRIVES, POOLS, drive_detail, pool_detail
from console.panes.items import ItemsPane
from console.panes.storage_listings import DISKS, FILESYSTEMS, disk_detail, filesystem_detail


class StoragePane(ItemsPane):
    """Five lists over the fleet."""

    TITLE = "Storage"
    LISTINGS = (
        (FILESYSTEMS, filesystem_detail),
        (DISKS, disk_detail),
        (DRIVES, drive_detail),
        (ARRAYS, drive_detail),
        (POOLS, pool_detail),
    )
