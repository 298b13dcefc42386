"""Programs that do less than veopipe with the same gateway, to be measured beside it; each stands alone.

Called as `python PEER.py BASE_URL SHOTS IN_FLIGHT MEGABYTES INTERVAL_S`, in an empty folder: they make as many videos,
poll each at that interval and write `NNNN.mp4`. None keeps a record, proves a file or survives a kill without paying
again; `benchmarks.paid_again` has the figures of that.
"""
