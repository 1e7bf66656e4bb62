//! The SDK for other apps, and for our own windows and command line
