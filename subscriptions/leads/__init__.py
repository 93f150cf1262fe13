"""Leads (线索): pushed, signed for, answered (推送–签收–反馈), each in time."""
