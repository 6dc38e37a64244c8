"""The container: headers, tables and blocks of .pxz files."""
