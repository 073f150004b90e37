"""In and out: files of others become readings and intervals, settled energy a file.

Pure, a file each: what a file holds (`form`, `numbers`, `stamps`, `times`, `content`,
`merging`, `placing`, `preview`) and the formats that are written (`as_csv`,
`as_parquet`, `green_button`, `nem12`). `reading` and `tables` read the disk,
`importing` and `exporting` ask storage.
"""
