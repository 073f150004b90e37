"""Kill what a site is made of under load, and see whether a reading is lost."""
