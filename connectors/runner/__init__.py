"""Runs a connector: reads, spools, delivers, and goes on after kill -9 where it was.

What is read becomes parcels: files on disk that never change, entered into the state together with the
cursor, in one transaction. A parcel goes to the sink under its own key until the sink has answered for it;
only then is its file removed. A sink that is away makes parcels wait; a process that dies leaves either the
old cursor or the new one with the parcel beside it.
"""
