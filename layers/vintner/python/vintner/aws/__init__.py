"""The account: catalog, files, streams and tables of AWS, and what runs on them. Only this package imports boto3."""
