"""Small pages that go on living after `load`, each the kernel of what real pages do."""
