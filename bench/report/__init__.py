"""Pure: values in, files out (pandas, matplotlib, rich, jinja2)."""
