"""What lists and counts are answered from: the query language and its SQL store."""
