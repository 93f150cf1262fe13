"""The registry of data elements (数据元): one definition for what many resources call by many names."""
