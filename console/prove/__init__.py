"""Claims proved by playing them: the same demand through different ways of keeping channels in step."""
