"""What every door shows: lists read page by page, and rows as they are said in JSON."""
