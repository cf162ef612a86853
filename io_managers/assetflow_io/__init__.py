"""The IO managers that come with assetflow, one module per format; none imports another."""
