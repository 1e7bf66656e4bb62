//! A server that receives resumable uploads: the embedded default destination
