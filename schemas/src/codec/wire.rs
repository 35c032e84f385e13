//! One record type's parsed schema, header, writer and readers, made once and kept for the life of the process.

use super::{DecodeError, Fingerprint, Record, WriterSchemas};
use apache_avro::{
    Schema, from_value, rabin::Rabin, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter,
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

const MAGIC: [u8; 2] = [0xC3, 0x01];
const HEADER_BYTES: usize = 10;

/// Fixed parts of a record type's encoding.
pub struct Wire {
    schema: &'static Schema,
    fingerprint: Fingerprint,
    header: [u8; HEADER_BYTES],
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
    /// Readers of other writers' schemas. One is kept for each schema ever met, a handful in a process's life.
    resolving: RwLock<HashMap<Fingerprint, Arc<GenericDatumReader<'static>>>>,
}

impl Wire {
    /// Parses a compiled-in schema.
    ///
    /// # Panics
    /// When the schema is no valid Avro: every compiled-in schema is parsed by a test.
    pub fn new(avsc: &'static str) -> Self {
        let schema = Schema::parse_str(avsc).expect("compiled-in schemas are valid avro");
        // Lives as long as the process anyway, and writer and reader borrow it.
        let schema: &'static Schema = Box::leak(Box::new(schema));
        let fingerprint = rabin(schema);
        let mut header = [0; HEADER_BYTES];
        header[..2].copy_from_slice(&MAGIC);
        header[2..].copy_from_slice(&fingerprint.to_le_bytes());
        Self {
            schema,
            fingerprint,
            header,
            writer: GenericDatumWriter::builder(schema)
                .human_readable(false)
                .build()
                .expect("compiled-in schemas hold all that they name"),
            reader: GenericDatumReader::builder(schema)
                .human_readable(false)
                .build()
                .expect("compiled-in schemas hold all that they name"),
            resolving: RwLock::default(),
        }
    }

    /// Fingerprint of this build's schema.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// This build's schema.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    pub(super) fn encode<R: Record>(&self, record: &R) -> Result<Vec<u8>, apache_avro::Error> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&self.header);
        self.writer.write_ser(&mut bytes, record)?;
        Ok(bytes)
    }

    pub(super) fn decode<R: Record>(&self, bytes: &[u8], writers: &dyn WriterSchemas) -> Result<R, DecodeError> {
        let (fingerprint, mut datum) = split(bytes)?;
        let record = if fingerprint == self.fingerprint {
            self.reader.read_deser(&mut datum).map_err(corrupt)?
        } else {
            let value = self
                .resolving_reader(fingerprint, writers)?
                .read_value(&mut datum)
                .map_err(corrupt)?;
            from_value(&value).map_err(corrupt)?
        };
        match datum.len() {
            0 => Ok(record),
            left => Err(DecodeError::Corrupt(format!("{left} bytes follow the record"))),
        }
    }

    fn resolving_reader(
        &self,
        fingerprint: Fingerprint,
        writers: &dyn WriterSchemas,
    ) -> Result<Arc<GenericDatumReader<'static>>, DecodeError> {
        if let Some(reader) = self
            .resolving
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&fingerprint)
        {
            return Ok(reader.clone());
        }
        let writer = writers
            .writer_schema(fingerprint)
            .ok_or(DecodeError::UnknownFingerprint(fingerprint))?;
        let mut resolving = self.resolving.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = resolving.get(&fingerprint) {
            return Ok(reader.clone());
        }
        // Kept once for each pair of record type and writer schema: bounded by the schemas in the ledger.
        let writer: &'static Schema = Box::leak(Box::new(writer));
        let reader = GenericDatumReader::builder(writer)
            .reader_schema(self.schema)
            .human_readable(false)
            .build()
            .map_err(corrupt)?;
        let reader = Arc::new(reader);
        resolving.insert(fingerprint, reader.clone());
        Ok(reader)
    }
}

/// Splits a single-object record into its writer's fingerprint and the datum.
pub(super) fn split(bytes: &[u8]) -> Result<(Fingerprint, &[u8]), DecodeError> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(DecodeError::NotSingleObject)?;
    let (fingerprint, datum) = rest.split_first_chunk::<8>().ok_or(DecodeError::NotSingleObject)?;
    Ok((Fingerprint::from_le_bytes(*fingerprint), datum))
}

/// CRC-64-AVRO of a schema's parsing canonical form.
pub(super) fn rabin(schema: &Schema) -> Fingerprint {
    let digest = schema.fingerprint::<Rabin>().bytes;
    Fingerprint::from_le_bytes(digest.try_into().expect("a CRC-64 has eight bytes"))
}

fn corrupt(error: apache_avro::Error) -> DecodeError {
    DecodeError::Corrupt(error.to_string())
}
