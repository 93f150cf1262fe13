"""Service items as Excel: a workbook that an office fills in, errors pointing at sheet, row and column."""
