"""Attribution methods: one file per published method, raw maps out."""
