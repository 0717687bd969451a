"""The SQL: schema, migrations, statements, one writer, few readers (ARCHITECTURE 3.4, 3.5)."""
