"""In and out: files of others become readings and intervals, settled energy a file.

Pure, a file each: what a file holds (`form`, `tables`, `numbers`, `times`, `content`,
`merging`, `preview`) and the formats that are written (`as_csv`, `as_parquet`,
`green_button`, `nem12`). `importing` and `exporting` alone ask storage.
"""
