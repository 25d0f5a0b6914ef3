//! One file per thing a user does, without a face.
