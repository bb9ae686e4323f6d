"""A house before a simulated shop in which every cause of drift is made to happen, among people who go on buying."""
